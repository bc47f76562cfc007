"""What is asked of the database before and after its time."""

import pytest

from app.core.database import build_engine
from app.core.database_thread import DatabaseThread
from app.core.errors import Unavailable


@pytest.mark.asyncio
async def test_after_it_is_closed_it_says_that_the_server_is_stopping() -> None:
    def fail(error: BaseException) -> None:
        raise AssertionError from error

    database = DatabaseThread(build_engine("duckdb:///:memory:"), fail)
    database.open()
    assert await database.run(lambda: 1) == database.call(lambda: 1)
    database.close()
    database.close()
    with pytest.raises(Unavailable, match="stopping"):
        await database.run(lambda: 1)
    with pytest.raises(Unavailable, match="stopping"):
        database.call(lambda: 1)

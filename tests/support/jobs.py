"""Jobs made while no server runs."""

from pathlib import Path
from uuid import uuid4

from sqlalchemy.orm import sessionmaker

from app.core.database import build_engine, migrate
from app.services.job_store import JobStore, NewJob
from app.services.results_document import write_results
from app.services.storage.names import results_key, video_key

FRAME_BYTES = 10_000


def completed_job(data_dir: Path, result_bytes: int) -> str:
    """The id of a completed job in `data_dir` whose results take a little more than so much."""
    job_id = uuid4()
    text = "x" * FRAME_BYTES
    frames = range(result_bytes // FRAME_BYTES + 1)
    videos = data_dir / "video_jobs"
    videos.mkdir(parents=True, exist_ok=True)
    write_results(
        videos / results_key(job_id),
        job_id,
        ({"frame_index": frame, "result": {"text": text}} for frame in frames),
    )
    engine = build_engine(f"duckdb:///{data_dir / 'foregsyte.duckdb'}")
    store = JobStore(sessionmaker(engine))
    with engine.connect() as connection:
        migrate(connection)
        store.create([NewJob(job_id, "nothing", video_key(job_id))])
        store.claim(job_id)
        store.complete(job_id, results_key(job_id))
    engine.dispose()
    return str(job_id)

"""A data folder as a server would have left it, made by hand."""

import json
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.database import build_engine, migrate
from app.models.job import Job, JobStatus
from tests.faults.durability.rows import DATABASE, VIDEOS


class Craft:
    """Jobs put straight into the table of `data_dir`; each is created a second after the one
    before. No server may run."""

    def __init__(self, data_dir: Path) -> None:
        self._videos = data_dir / VIDEOS
        self._incoming = self._videos / ".incoming"
        self._incoming.mkdir(parents=True)
        self._url = f"duckdb:///{data_dir / DATABASE}"
        self._created_at = utc_now() - timedelta(hours=1)
        engine = build_engine(self._url)
        with engine.connect() as connection:
            migrate(connection)
        engine.dispose()

    def job(
        self,
        video: bytes | None,
        status: JobStatus = JobStatus.PENDING,
        *,
        pipeline_id: str = "nothing",
        error_message: str | None = None,
        after: timedelta = timedelta(seconds=1),
    ) -> str:
        """Its id; without `video`, the file is gone."""
        job_id = uuid4()
        self._created_at += after
        if video is not None:
            (self._videos / f"{job_id}.mp4").write_bytes(video)
        job = Job(
            job_id=job_id,
            status=status,
            created_at=self._created_at,
            updated_at=self._created_at,
            pipeline_id=pipeline_id,
            input_path=f"{job_id}.mp4",
            error_message=error_message,
        )
        engine = build_engine(self._url)
        with Session(engine) as session, session.begin():
            session.add(job)
        engine.dispose()
        return str(job_id)

    def results(self, job_id: str, results: list[dict[str, object]]) -> None:
        """Whole results, of which the row does not know yet."""
        document = json.dumps({"job_id": job_id, "results": results})
        (self._videos / f"{job_id}_results.json").write_text(document)

    def torn_results(self, job_id: str) -> None:
        torn = f'{{"job_id": "{job_id}", "results": [{{"frame_ind'
        (self._incoming / f"{job_id}_results.json.part").write_text(torn)

    def upload_without_row(self, video: bytes, *, linked: bool) -> str:
        """An upload that was never acknowledged."""
        job_id = str(uuid4())
        (self._incoming / f"{job_id}.part").write_bytes(video)
        if linked:
            (self._videos / f"{job_id}.mp4").write_bytes(video)
        return job_id

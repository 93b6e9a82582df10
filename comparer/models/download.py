"""Download Hub files into the cache, with progress, cancellation and resume.

``huggingface_hub`` handles the mirror, the token, the proxy, the offline mode and the cache layout. The loop over a
file's bytes is our own: the library's loop discards a partial download, cannot be cancelled, and retries for minutes
when there is no answer. Every failure is reported in one sentence.
"""

import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TypeVar

from comparer.errors import ComparerError, Stopped

OnProgress = Callable[[int, int, str], None]
Result = TypeVar("Result")
SLACK = 5.0  # seconds beyond the client's own time limit, which does not cover DNS lookups


@dataclass(frozen=True)
class RemoteFile:
    """A file of a Hub repository, at one commit.

    Attributes:
        repository, commit, name: location of the file; ``name`` includes its folder.
        size: bytes.
        blob: file name in the cache's ``blobs``: the Hub's ETag.
    """

    repository: str
    commit: str
    name: str
    size: int
    blob: str

    @property
    def store(self) -> Path:
        """The repository's folder in the cache."""
        from huggingface_hub.constants import HF_HUB_CACHE
        from huggingface_hub.file_download import repo_folder_name

        return Path(HF_HUB_CACHE) / repo_folder_name(repo_id=self.repository, repo_type="model")

    @property
    def path(self) -> Path:
        """Path of the completed file."""
        return self.store / "snapshots" / self.commit / self.name

    @property
    def part(self) -> Path:
        """Path of the partial download."""
        return self.store / "blobs" / f"{self.blob}.incomplete"

    def bytes_here(self) -> int:
        """Return how many bytes of the file are already downloaded."""
        if self.path.exists() or (self.store / "blobs" / self.blob).exists():
            return self.size
        return self.part.stat().st_size if self.part.exists() else 0


class Job:
    """State shared by the thread that talks to the Hub and the thread that waits for it.

    Attributes:
        done, total: bytes; total is 0 until the Hub has reported the sizes.
        text: description of the current step.
        repository: the repository that is requested.
        stopped: set by the waiting thread.
    """

    def __init__(self) -> None:
        """Start with zero bytes and no text."""
        self.done, self.total, self.text, self.repository, self.stopped = 0, 0, "", "", False


def watched(
    work: Callable[[Job], Result], on_progress: OnProgress | None = None, stop: Callable[[], bool] | None = None
) -> Result:
    """Run ``work`` in a separate thread and wait for it, with a timeout and a check of ``stop``.

    The client's calls cannot be interrupted, so an abandoned thread ends by itself: at its next bytes or at the
    client's time limit (``HF_HUB_DOWNLOAD_TIMEOUT``, 10 seconds).

    Raises:
        Stopped: ``stop`` returned true; noticed within 0.2 seconds.
        ComparerError: the Hub is unreachable or refuses, or the disk fails.
    """
    from huggingface_hub.constants import HF_HUB_DOWNLOAD_TIMEOUT

    job = Job()
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work(job))
        except BaseException as error:  # raised again where it is waited for
            errors.append(error)

    worker = threading.Thread(target=run, name="comparer-hub", daemon=True)
    worker.start()
    told, since, alive = (0, 0, ""), monotonic(), True
    try:
        while alive:
            worker.join(0.1)
            alive = worker.is_alive()
            now = (job.done, job.total, job.text)
            if now != told:
                told, since = now, monotonic()
                if on_progress:
                    on_progress(*now)
            if alive and stop and stop():
                raise Stopped
            if alive and monotonic() - since > HF_HUB_DOWNLOAD_TIMEOUT + SLACK:
                raise _unreachable("no answer", job)
    finally:
        job.stopped = True
    if errors:
        raise _told(errors[0], job) from errors[0]
    return results[0]


def _unreachable(why: str, job: Job) -> ComparerError:
    from huggingface_hub.constants import ENDPOINT

    kept = "; what was downloaded is kept" if job.done else ""
    return ComparerError(
        f"{ENDPOINT} cannot be reached ({why}): check the connection, or set HF_ENDPOINT to a mirror{kept}."
    )


def _told(error: BaseException, job: Job) -> BaseException:
    """Return the error as a person is told it; an unexpected one as it is."""
    from huggingface_hub.constants import ENDPOINT, HF_HUB_CACHE
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HTTPError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return ComparerError(f"HF_HUB_OFFLINE is set, so {job.repository} cannot be fetched: unset it to fetch.")
    if isinstance(error, GatedRepoError):
        return ComparerError(
            f"{job.repository} is gated: accept its terms on {ENDPOINT}/{job.repository} and log in with "
            "'hf auth login', or set HF_TOKEN."
        )
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        advice = "try again later"
        if status in (401, 403, 404):
            advice = "it does not exist, or needs a login ('hf auth login', or HF_TOKEN)"
        return ComparerError(f"{ENDPOINT} answered {status} when asked for {job.repository}: {advice}.")
    if isinstance(error, HTTPError):
        return _unreachable(type(error).__name__, job)
    if isinstance(error, OSError) and error.strerror:
        return ComparerError(f"The hub's cache {HF_HUB_CACHE} cannot be written: {error.strerror}.")
    return error


def listing(repository: str, job: Job) -> dict[str, RemoteFile]:
    """List a repository's files at its newest commit, by name.

    Raises:
        ComparerError: the server that answers is not a Hub.
    """
    from huggingface_hub import HfApi, constants

    job.repository = repository
    try:
        info = HfApi().model_info(repository, files_metadata=True, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT)
        return {
            sibling.rfilename: RemoteFile(
                repository,
                str(info.sha),
                sibling.rfilename,
                sibling.size or 0,
                (sibling.lfs.sha256 if sibling.lfs else sibling.blob_id) or "",
            )
            for sibling in info.siblings or []
        }
    except (ValueError, KeyError, TypeError) as error:
        raise ComparerError(f"The server at {constants.ENDPOINT} is not a model hub: check HF_ENDPOINT.") from error


def measured(file: RemoteFile) -> RemoteFile:
    """Return the file with its size and blob, which some mirrors report only when asked for the file itself."""
    if file.blob:
        return file
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(file.repository, file.name, revision=file.commit)
    found = get_hf_file_metadata(url, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT)
    if not found.etag or found.size is None:
        raise ComparerError(f"The server at {constants.ENDPOINT} is not a model hub: check HF_ENDPOINT.")
    return replace(file, size=found.size, blob=found.etag)


def bring(files: tuple[RemoteFile, ...], title: str, job: Job) -> None:
    """Download the missing files, then point the cache's ``main`` to them.

    Raises:
        ComparerError: the disk has too little space, or another process is downloading the same files.
        Stopped: ``job.stopped`` was set.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    job.total = sum(file.size for file in files)
    cache = Path(HF_HUB_CACHE)
    free = shutil.disk_usage(next(path for path in (cache, *cache.parents) if path.exists())).free
    missing = job.total - sum(file.bytes_here() for file in files)
    if missing > free:
        raise ComparerError(
            f"{title} needs {missing / 1e9:.1f} GB more, and {cache} has {free / 1e9:.1f} GB free: free "
            "some space, or set HF_HOME to a larger disk."
        )
    before = 0
    for file in files:
        job.text, job.repository = f"Fetching {title}: {file.name}", file.repository
        if not file.path.exists():
            _bring(file, before, job)
        before += file.size
        job.done = before
    for file in {file.repository: file for file in files}.values():
        reference = file.store / "refs" / "main"
        reference.parent.mkdir(exist_ok=True)
        reference.write_text(file.commit, encoding="utf-8")


def _bring(file: RemoteFile, before: int, job: Job) -> None:
    from filelock import Timeout
    from huggingface_hub.constants import HF_HUB_DOWNLOAD_TIMEOUT
    from huggingface_hub.utils import WeakFileLock

    lock = file.store.parent / ".locks" / file.store.name / f"{file.blob}.lock"  # the client's own
    blob = file.part.with_name(file.blob)
    for folder in (lock.parent, blob.parent, file.path.parent):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        # A stopped download drops a silent connection at the client's time limit.
        with WeakFileLock(lock, timeout=HF_HUB_DOWNLOAD_TIMEOUT + 1):
            if not blob.exists():
                _stream(file, before, job)
                file.part.replace(blob)
            file.path.unlink(missing_ok=True)
            try:
                file.path.symlink_to(os.path.relpath(blob, file.path.parent))
            except OSError:  # Windows, unless it allows links: the cache then holds the file itself there
                blob.replace(file.path)
    except Timeout:
        raise ComparerError(f"{file.repository} is already being fetched: wait until this is finished.") from None


def _stream(file: RemoteFile, before: int, job: Job) -> None:
    """Append to the partial file until it is complete; a broken connection is taken up while bytes still come."""
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.constants import HF_HUB_DOWNLOAD_TIMEOUT
    from huggingface_hub.errors import HfHubHTTPError, HTTPError
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    url = hf_hub_url(file.repository, file.name, revision=file.commit)
    file.part.touch()
    while (start := file.part.stat().st_size) < file.size:
        if job.stopped:
            raise Stopped
        headers = build_hf_headers() | {"Accept-Encoding": "identity", "Range": f"bytes={start}-"}
        have, broken = start, None
        try:
            with get_session().stream("GET", url, headers=headers, timeout=HF_HUB_DOWNLOAD_TIMEOUT) as response:
                hf_raise_for_status(response)
                goes_on = response.status_code == 206
                have = start if goes_on else 0
                # Unbuffered: this thread dies with the process, and the received bytes must be in the file.
                with file.part.open("ab" if goes_on else "wb", buffering=0) as out:
                    for chunk in response.iter_bytes():
                        out.write(chunk)
                        have += len(chunk)
                        job.done = before + have
                        if job.stopped:
                            raise Stopped
        except HTTPError as error:
            if isinstance(error, HfHubHTTPError):
                raise
            broken = error
        if have <= start:
            raise broken or ComparerError(f"{file.repository} sent less of {file.name} than it has: try again later.")
    if file.part.stat().st_size > file.size:
        file.part.unlink()
        raise ComparerError(f"{file.repository} sent more of {file.name} than it has: fetch it again.")

"""The logs of all the processes there are."""

import contextlib
import signal
import sys
from pathlib import Path

import pytest

from loss.service import Service
from server.supervisor.sites import ask, write_site
from server.wire import wait_until

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(sys.platform != "linux", reason="asks /proc about processes"),
]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The directory of an application, ``site_app:app`` in it."""
    return write_site(tmp_path)


@pytest.mark.parametrize("workers", [0, 1])
def test_logs_that_were_moved_away_are_opened_anew(site: Path, workers: int) -> None:
    access, errors = site / "access.log", site / "error.log"
    options = ["--access-logfile", str(access), "--error-logfile", str(errors), "-w", str(workers)]
    options += ["--admin-bind", "127.0.0.1:0"]  # whose process writes there too
    with Service(*options, app="site_app:app", directory=site) as service:
        service.wait_address()
        ask(service, "/before")
        wait_until(lambda: "/before" in access.read_text(), "the line")
        access.rename(site / "access.1")
        errors.rename(site / "error.1")
        service.send(signal.SIGUSR1)
        wait_until(lambda: access.exists() and errors.exists(), "the new files")
        ask(service, "/after")
        wait_until(lambda: "/after" in access.read_text(), "the line in the new file")
        assert "/after" not in (site / "access.1").read_text()
        wait_until(lambda: not holders(service, site / "error.1"), "nobody has the old file")


def holders(service: Service, path: Path) -> set[int]:
    """The processes of a service that have a file open."""
    tasks = Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text("utf-8")
    pids = [service.pid, *map(int, tasks.split())]
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for each in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if each.readlink() == path:
                        found.add(pid)
    return found


def test_another_error_log_is_that_of_all(site: Path) -> None:
    """Also of the process of the pages, which is no worker."""
    one, two, settings = site / "one.log", site / "two.log", site / "quaich.toml"
    settings.write_text(f'error-logfile = "{one}"\nadmin-bind = "127.0.0.1:0"\n')
    options = ("-w", "1", "--config", "quaich.toml")
    with Service(*options, app="site_app:app", directory=site) as service:
        service.wait_address()
        wait_until(lambda: len(holders(service, one)) == 3, "the supervisor and the two others")
        settings.write_text(settings.read_text().replace("one", "two"))
        service.send(signal.SIGHUP)
        wait_until(lambda: not holders(service, one), "nobody has the old file")
        wait_until(lambda: len(holders(service, two)) == 3, "the supervisor and the two others")

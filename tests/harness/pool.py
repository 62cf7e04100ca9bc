"""Runs tests side by side, each in a process and a network namespace of its own."""
import json
import os
import shutil
import signal
import sys
import traceback

from . import namespace, report


def run(items, jobs, keep, work, done):
    """work(item, workdir) -> something for JSON, in a child; done(item, workdir, result) here,
    and true from it keeps the work directory. result is None where the child died. An exception, as
    on Ctrl-C, ends the children first, and nothing is kept."""
    running = {}
    try:
        _run(list(items), running, jobs, keep, work, done)
    except BaseException:
        for pid, (_item, workdir) in running.items():
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
            shutil.rmtree(workdir, ignore_errors=True)
        raise


def _run(queue, running, jobs, keep, work, done):
    while queue or running:
        if queue and len(running) < jobs:
            item = queue.pop(0)
            workdir = report.work_directory()
            pid = os.fork()
            if pid == 0:
                _child(item, workdir, work)
            running[pid] = (item, workdir)
            continue
        pid, _status = os.wait()
        item, workdir = running.pop(pid)
        if not done(item, workdir, _read(workdir)) and not keep:
            shutil.rmtree(workdir, ignore_errors=True)


def _child(item, workdir, work):
    code = 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    try:
        namespace.new_network()
        result = work(item, workdir)
        with open(os.path.join(workdir, "result.json"), "w", encoding="utf-8") as f:
            json.dump(result, f)
        code = 0
    except (SystemExit, KeyboardInterrupt):
        pass
    except BaseException:  # a broken test is a failed test
        _write_traceback(workdir)
    finally:
        os._exit(code)


def _write_traceback(workdir):
    try:
        with open(os.path.join(workdir, "traceback"), "w", encoding="utf-8") as f:
            traceback.print_exc(file=f)
    except OSError:  # a full disk
        traceback.print_exc()


def _read(workdir):
    try:
        with open(os.path.join(workdir, "result.json"), encoding="utf-8") as f:
            return json.load(f)
    except OSError:
        return None


def crash(workdir):
    """Why a child left no result."""
    try:
        with open(os.path.join(workdir, "traceback"), encoding="utf-8") as f:
            return f.read()
    except OSError:
        return "the test's process died"

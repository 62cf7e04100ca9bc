"""Runs tests side by side, each in a process and a network namespace of its own."""
import json
import os
import shutil
import traceback

from . import namespace, report


def run(items, jobs, keep, work, done):
    """work(item, workdir) -> something for JSON, in a child; done(item, workdir, result) here,
    and true from it keeps the work directory. result is None where the child died."""
    running, queue = {}, list(items)
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
    try:
        namespace.new_network()
        result = work(item, workdir)
        with open(os.path.join(workdir, "result.json"), "w", encoding="utf-8") as f:
            json.dump(result, f)
        code = 0
    except BaseException:  # a broken test is a failed test
        with open(os.path.join(workdir, "traceback"), "w", encoding="utf-8") as f:
            traceback.print_exc(file=f)
    finally:
        os._exit(code)


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

"""What a test run prints: one line a test, more where it failed, and the count at the end."""
import os
import sys
import tempfile
import time


class Report:
    def __init__(self, suite):
        self.suite = suite
        self.passed = self.failed = self.skipped = 0
        self.started = time.monotonic()

    def ok(self, name):
        self.passed += 1
        print(f"ok      {self.suite}/{name}", flush=True)

    def skip(self, name, why):
        self.skipped += 1
        print(f"skipped {self.suite}/{name}: {why}", flush=True)

    def fail(self, name, problems, logs, details=""):
        self.failed += 1
        print(f"FAILED  {self.suite}/{name}   logs: {logs}", flush=True)
        for problem in problems:
            for line in str(problem).splitlines():
                print(f"    {line}")
        if details:
            print(details)
        sys.stdout.flush()

    def close(self):
        """Prints the count and returns the exit code."""
        print(f"{self.suite}: {self.passed} passed, {self.failed} failed, {self.skipped} skipped",
              flush=True)
        return 1 if self.failed else 0


def work_directory():
    """A short path, because unix sockets live in it; removed where the test passed."""
    path = tempfile.mkdtemp(prefix="calloutd-", dir=os.environ.get("TMPDIR", "/tmp"))
    os.chmod(path, 0o755)
    return path

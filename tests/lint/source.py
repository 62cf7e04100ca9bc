"""What the lints share: the files of the source tree, C without comments, and a list of findings."""
import os
import re
import sys

sys.dont_write_bytecode = True
TOP = os.environ.get('LINT_TOP') or os.environ.get('srcdir') or '.'
SKIPPED_DIRS = {'.git', '.deps', '.libs', '__pycache__', 'autom4te.cache', 'build-aux', 'seeds'}
BUILD_PRODUCT = re.compile(r'\.(o|a|log|trs|gcda|gcno|pyc)$|^\.dirstamp$')
ROOTS = ('src', 'tests', 'doc', 'etc', 'contrib')
TOP_FILES = ('README.md', 'ChangeLog.md', 'Makefile.am', 'configure.ac', '.clang-format',
             '.clang-tidy')


def walk(root):
    """Paths of a directory's files, relative to the top, sorted."""
    for at, dirs, names in os.walk(os.path.join(TOP, root)):
        dirs[:] = sorted(d for d in dirs if d not in SKIPPED_DIRS)
        for name in sorted(names):
            if not BUILD_PRODUCT.search(name):
                yield os.path.relpath(os.path.join(at, name), TOP)


def c_files(*roots):
    return [p for root in roots for p in walk(root) if p.endswith(('.c', '.h'))]


def read(path):
    with open(os.path.join(TOP, path), encoding='utf-8') as f:
        return f.read()


def text_files():
    """(path, text) of every file of the project that is text; seeds and build products are not."""
    for path in [p for root in ROOTS for p in walk(root)] + list(TOP_FILES):
        with open(os.path.join(TOP, path), 'rb') as f:
            data = f.read()
        if b'\0' not in data:
            yield path, data.decode('utf-8', 'replace')


TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def bare(text, strings=False):
    """C with its comments, and unless asked for its strings, blanked; lines stay where they are."""
    def blank(m):
        token = m.group()
        if token[0] == '/':
            return re.sub(r'[^\n]', ' ', token)
        return token if strings else token[0] + token[0]
    return TOKEN.sub(blank, text)


class Findings:
    def __init__(self):
        self.count = 0
        self.looked_at = 0

    def add(self, path, line, what):
        self.count += 1
        print(f'{path}:{line}: {what}' if line else f'{path}: {what}')

    def end(self):
        """Exits: a lint that saw no file at all is as bad as one that found something."""
        if self.looked_at == 0:
            sys.exit(f'nothing to look at below "{TOP}"')
        print(f'{self.looked_at} looked at, {self.count} found')
        sys.exit(1 if self.count else 0)

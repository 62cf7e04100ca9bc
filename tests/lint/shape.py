#!/usr/bin/env python3
"""Files and functions that can be taken in, no banned calls, headers that are contracts."""
import re

from source import Findings, bare, c_files, read

FILE_LINES = 600
FUNCTION_LINES = 60
BANNED = ('strcpy', 'strcat', 'sprintf', 'vsprintf', 'strtok', 'gets', 'atoi', 'atol', 'alloca',
          'signal', 'sleep', 'usleep', 'system', 'popen', 'tmpnam', 'mktemp')
CALL = re.compile(r'(?<![\w.>])(' + '|'.join(BANNED) + r')\s*\(')


def check_calls(found, path, lines):
    for n, line in enumerate(lines, 1):
        for m in CALL.finditer(line):
            found.add(path, n, f'{m.group(1)}() is banned')


def signature_start(lines, brace):
    """The first line of the signature whose brace stands alone on line `brace` (from 0)."""
    at = brace
    while at > 0 and lines[at - 1].strip() and lines[at - 1].rstrip()[-1] not in ';}':
        if lines[at - 1].startswith('#'):
            break
        at -= 1
    return at


def check_functions(found, path, lines):
    """As clang-format lays them out: both braces of a function stand alone in the first column."""
    opened = None
    for n, line in enumerate(lines):
        if line.rstrip() == '{':
            opened = signature_start(lines, n)
        elif line.rstrip() == '}' and opened is not None:
            length = n - opened + 1
            if length > FUNCTION_LINES:
                name = re.search(r'(\w+)\(', ' '.join(lines[opened:n]))
                found.add(path, opened + 1, f'{name.group(1) if name else "function"}() has '
                          f'{length} lines, more than {FUNCTION_LINES}')
            opened = None


def check_header(found, path, text):
    guard = re.sub(r'\W', '_', path.split('/', 1)[1]).upper()
    if path.startswith('tests/'):
        guard = guard.rsplit('/', 1)[-1]
    m = re.match(r'/\*.*?\*/\n', text, re.S)
    if m is None:
        found.add(path, 1, 'does not begin with a comment that says what it is for')
    elif path.startswith('src/') and 'Threads:' not in m.group():
        found.add(path, 1, 'its first comment does not say "Threads:"')
    m = re.search(r'^#ifndef (\w+)\n#define (\w+)\n', text, re.M)
    if m is None or m.group(1) != m.group(2) or not text.rstrip().endswith('#endif'):
        found.add(path, 1, 'has no include guard')
    elif path.startswith('src/') and m.group(1) != guard:
        found.add(path, 1, f'its include guard is {m.group(1)}, not {guard}')


def main():
    found = Findings()
    for path in c_files('src', 'tests'):
        found.looked_at += 1
        text = read(path)
        lines = bare(text).split('\n')
        length = text.count('\n')
        if length > FILE_LINES:
            found.add(path, 0, f'{length} lines, more than {FILE_LINES}')
        check_calls(found, path, lines)
        check_functions(found, path, lines)
        if path.endswith('.h'):
            check_header(found, path, text)
    found.end()


main()

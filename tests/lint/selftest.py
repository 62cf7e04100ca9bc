#!/usr/bin/env python3
"""Every lint finds what it is for: each is run on a copy of the tree that one line was added to."""
import os
import shutil
import subprocess
import sys
import tempfile

from source import TOP

HERE = os.path.abspath(os.path.dirname(__file__))
NEVER = 'int never(void);\nint never(void)\n{\n%s    return 0;\n}\n'
LONG = ''.join(f'    (void){n};\n' for n in range(60))
HEADER = '/* A lint looks at this. %s */\n#ifndef %s\n#define %s\n#endif\n'

# lint, file, what is put at its end ("" first empties it), what has to be said
CASES = (
    ('includes.py', 'src/base/log.c', '#include "dns/cache.h"\n', 'base may not include dns'),
    ('includes.py', 'src/smtp/reply.c', '#include "store/store.h"\n', 'smtp may not include store'),
    ('includes.py', 'src/ctl/check.c', '#include "frontend/control.h"\n',
     'ctl may not include frontend'),
    ('includes.py', 'src/policy/decision.c', '#include "conf/config.h"\n',
     'policy may not include conf'),
    ('includes.py', 'src/attic/new.c', '#include "base/log.h"\n', 'room "attic" has no rank'),
    ('includes.py', 'src/base/log.c', '#include "log.h"\n', 'no file below src/'),
    ('includes.py', 'src/callout/probe.c', '# include <event2/event.h>\n', '<event2/event.h> is only'),
    ('includes.py', 'src/dns/cache.c', '#include <ares.h>\n', '<ares.h> is only'),
    ('includes.py', 'src/callout/record.c', '#include <lmdb.h>\n', '<lmdb.h> is only'),
    ('includes.py', 'src/smtp/session.c', '#include <openssl/ssl.h>\n', '<openssl/ssl.h> is only'),
    ('includes.py', 'src/policy/decision.c', '#include <jansson.h>\n', '<jansson.h> is only'),
    ('includes.py', 'src/main.c', '#include <confuse.h>\n', '<confuse.h> is only'),
    ('includes.py', 'src/dns/answer.c', '#include <idn2.h>\n', '<idn2.h> is only'),
    ('includes.py', 'src/frontend/control.c', '#include <curl/curl.h>\n', '<curl/curl.h> is only'),
    ('includes.py', 'src/dns/cache.c', '#include <xxhash.h>\n', '<xxhash.h> is only'),
    ('includes.py', 'src/daemon.c', '#include <systemd/sd-daemon.h>\n', '<systemd/sd-daemon.h> is'),
    ('shape.py', 'src/base/str.c', NEVER % '    strcpy (a, b);\n', 'strcpy() is banned'),
    ('shape.py', 'tests/unit/test_log.c', NEVER % '    sleep(1);\n', 'sleep() is banned'),
    ('shape.py', 'src/base/str.c', NEVER % LONG, 'never() has 64 lines'),
    ('shape.py', 'src/base/str.c', '\n' * 600, 'lines, more than 600'),
    ('shape.py', 'src/base/new.h', HEADER % ('', 'BASE_NEW_H', 'BASE_NEW_H'), 'not say "Threads:"'),
    ('shape.py', 'src/base/new.h', HEADER % ('Threads: any.', 'BASE_NEW_H', 'BASE_OLD_H'),
     'no include guard'),
    ('shape.py', 'src/base/new.h', HEADER % ('Threads: any.', 'NEW_H', 'NEW_H'),
     'guard is NEW_H, not BASE_NEW_H'),
    ('shape.py', 'src/base/new.h', '#include <stdio.h>\n', 'does not begin with a comment'),
    ('words.py', 'src/base/str.c', '/* FIX' 'ME */\n', 'do it now'),
    ('words.py', 'doc/INTERNALS.md', 'see iss' 'ue #1\n', 'means nothing'),
    ('words.py', 'README.md', 'blank \n', 'blanks at the end'),
    ('words.py', 'src/base/str.c', '/*\t*/\n', 'a tab'),
    ('words.py', 'contrib/deps', 'end', 'no newline at the end'),
    ('options.py', 'doc/calloutd.conf.5', '.Sh KEYS\n.Bl -tag\n.It Cm no_such_key\n.El\n',
     'no such option: no_such_key'),
    ('options.py', 'doc/calloutd.conf.5', '.Sh REPLIES.CONF\n.Bl -tag\n.It Cm no_such_key\n.El\n',
     'no such option: rule */no_such_key'),
    ('options.py', 'doc/calloutd.conf.5', '', 'option provider */note is not there'),
    ('options.py', 'etc/calloutd.conf', '#no_such_key = 1\n', 'no such option: no_such_key'),
    ('options.py', 'doc/calloutd.conf.5', '', 'option limit/total is not there'),
    ('options.py', 'etc/calloutd.conf', '', 'option limit/total is not there'),
    ('options.py', 'doc/calloutd.8', '', 'flag -c is not there'),
    ('options.py', 'doc/calloutctl.1', '.Sh NEW\n.Bl -tag\n.It Fl Fl no-such\n.El\n',
     'no such flag: --no-such'),
    ('format.sh', 'src/new.c', 'int  a;\n', 'should be clang-formatted'),
    ('cppcheck.sh', 'src/new.c', NEVER % '    char b[2];\n    b[2] = 0;\n', 'out of bounds'),
    ('clang-tidy.sh', 'src/new.c', NEVER % '    int *p = 0;\n    *p = 1;\n', 'null pointer'),
    ('man.sh', 'doc/new.1', '.Dd today\n.Dt NEW 1\n.Os\n.Sh NAME\n.Nm new\n.No \\[nosuch]\n', 'new.1'),
)


def copy(into, whole):
    """The tree; or for lints that are slow on it, next to nothing of it."""
    for name in ('src', 'tests', 'doc', 'etc', 'contrib') if whole else ():
        shutil.copytree(os.path.join(TOP, name), os.path.join(into, name), symlinks=True,
                        ignore=shutil.ignore_patterns('*.o', '*.log', '*.trs', '.deps', 'seeds'))
    for name in ('src', 'tests', 'doc'):
        os.makedirs(os.path.join(into, name), exist_ok=True)
    for name in ('README.md', 'ChangeLog.md', 'Makefile.am', 'configure.ac', '.clang-format',
                 '.clang-tidy'):
        shutil.copy(os.path.join(TOP, name), into)


def change(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.exists(path):
        os.chmod(path, 0o644)
    with open(path, 'a' if text else 'w', encoding='utf-8') as f:
        f.write(text)


def run(lint, top):
    command = [os.path.join(HERE, lint)]
    if lint.endswith('.py'):
        command.insert(0, sys.executable)
    return subprocess.run(command, env=dict(os.environ, srcdir=top), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def check(lint, path, text, said):
    with tempfile.TemporaryDirectory() as top:
        copy(top, lint.endswith('.py'))
        subprocess.run(['chmod', '-R', 'u+w', top], check=True)
        change(os.path.join(top, path), text)
        done = run(lint, top)
    if done.returncode == 77:
        print(f'skipped: {lint} {path}: {done.stdout.strip()}')
        return True
    if done.returncode != 0 and said in done.stdout:
        return True
    print(f'{lint} on {path} with {text!r}: not "{said}" but, status {done.returncode}:\n'
          f'{done.stdout}')
    return False


def main():
    failed = sum(not check(*case) for case in CASES)
    print(f'{len(CASES)} cases, {failed} failed')
    sys.exit(1 if failed else 0)


main()

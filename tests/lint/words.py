#!/usr/bin/env python3
"""Nothing left for later, no stray blanks, nothing said of where or how the project was made."""
import re

from source import Findings, text_files

# Written so that they do not find themselves.
LATER = re.compile(r'\b(TOD[O]|FIXM[E]|HAC[K]|XX[X])\b')
ELSEWHERE = re.compile(r'\.\./share[d]|(?<![\w.$})])/wor[k]/|(?<![\w.$})])/hom[e]/|sub-?agen[t]'
                       r'|issu[e] #|this sessio[n]|Co-authored-b[y]', re.I)


def main():
    found = Findings()
    for path, text in text_files():
        found.looked_at += 1
        c = path.endswith(('.c', '.h'))
        for n, line in enumerate(text.split('\n'), 1):
            m = LATER.search(line)
            if m:
                found.add(path, n, f'"{m.group()}": do it now or leave it out')
            m = ELSEWHERE.search(line)
            if m:
                found.add(path, n, f'"{m.group()}" means nothing to who reads this')
            if line != line.rstrip(' \t\r'):
                found.add(path, n, 'blanks at the end of the line')
            if c and '\t' in line:
                found.add(path, n, 'a tab')
        if text and not text.endswith('\n'):
            found.add(path, text.count('\n') + 1, 'no newline at the end of the file')
    found.end()


main()

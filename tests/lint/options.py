#!/usr/bin/env python3
r"""What can be set is documented, and what is documented can be set.

Configuration: the tables of keys, as option_keys prints them, against doc/calloutd.conf.5, and that
of calloutd.conf against etc/calloutd.conf. Command lines: what getopt() is told against the man pages.

A section with any title, "route *" in the table, may have any title in both.

In calloutd.conf.5 an option is an item (".It Cm name", or a table's ".It \ \ name") of an outermost
list below KEYS, below "Section s" or "Sections s, t and u", or below the name of a data file; those
that are statuses and reasons stand below a heading of that name. The sample file gives each option as a
setting or as a setting commented out ("#name = value"); of the many keys of actions and replies
it need not have every one.
"""
import os
import re
import subprocess

from source import Findings, bare, read, walk

KEYS = './tests/lint/option_keys'
CONF_PAGE = 'doc/calloutd.conf.5'
SAMPLE = 'etc/calloutd.conf'
DATA_SECTIONS = {'REPLIES.CONF': 'rule *', 'PROVIDERS.CONF': 'provider *'}
VERDICT_SECTIONS = ['action outbound', 'action inbound', 'action sender', 'reply']


def option_keys():
    """By the file they belong to."""
    out = subprocess.run([os.environ.get('LINT_OPTION_KEYS', KEYS)], check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    keys = {}
    for line in out.splitlines():
        path, section, name = line.split('\t')
        keys.setdefault(path, set()).add((section, name))
    return keys


def any_title(keys, known):
    """Keys as they are documented, by their names in the table."""
    heads = {section[:-1] for section, _ in known if section.endswith(' *')}
    return {(next((head + '*' for head in heads if section.startswith(head)), section), name): line
            for (section, name), line in keys.items()}


def page_items(text):
    """(line, heading, words) of the items of a page's outermost lists."""
    depth, heading = 0, ''
    for n, line in enumerate(text.split('\n'), 1):
        macro = line.split(' ')[0]
        depth += (macro == '.Bl') - (macro == '.El')
        if macro in ('.Sh', '.Ss'):
            heading = line[4:].strip().strip('"')
        elif macro == '.It' and depth == 1:
            yield n, heading, line[4:].replace('\\ ', '\\  ').split()


def heading_sections(heading):
    """The sections whose keys stand below a heading."""
    if heading == 'KEYS':
        return ['']
    if heading == 'Statuses and reasons':
        return VERDICT_SECTIONS
    if heading in DATA_SECTIONS:
        return [DATA_SECTIONS[heading]]
    m = re.fullmatch(r'Sections? (.+)', heading.replace(r'\(dq', ''))
    return re.split(', | and ', m.group(1)) if m else []


def page_keys(text):
    keys = {}
    for n, heading, words in page_items(text):
        names = re.match(r'(?:Cm |(?:\\ )+)([a-z]\w*(?: , (?:Cm )?[a-z]\w*)*)', ' '.join(words))
        for name in re.split(r' , (?:Cm )?', names.group(1)) if names else ():
            for section in heading_sections(heading):
                keys.setdefault((section, name), n)
    return keys


SETTING = re.compile(r'^[ \t]*#[ \t]?([ \t]*([a-z]\w*[ \t]*\+?='
                     r'|[a-z]\w*([ \t]+["\']?[\w.*-]+["\']?)?[ \t]*\{|\}))')
SAMPLE_TOKEN = re.compile(r'#[^\n]*|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\''
                          r'|\+?=|[{}(),\n]|[^\s{}()=,"\'#]+', re.S)


def sample_keys(text):
    text = '\n'.join(SETTING.sub(r'\1', line) for line in text.split('\n'))
    keys, section, words, line, in_list = {}, '', [], 1, False
    for m in SAMPLE_TOKEN.finditer(text):
        token = m.group()
        if token == '\n':
            line += 1
        elif token[0] == '#' or token[:2] in ('//', '/*'):
            line += token.count('\n')
        elif token in ('=', '+='):
            keys.setdefault((section, words[-1] if words else '='), line)
            words = ['=']
        elif token == '{' and words == ['=']:
            in_list = True
        elif token == '{':
            section, words = ' '.join(words[-2:]), []
        elif token == '}' and in_list:
            in_list, words = False, []
        elif token == '}':
            section, words = '', []
        elif words == ['='] and not in_list:
            words = []
        elif not in_list:
            words.append(token.strip('"\''))
    return keys


def called(key):
    return f'{key[0]}/{key[1]}' if key[0] else key[1]


def compare(found, path, documented, known, what):
    for key in sorted(known - set(documented)):
        found.add(path, 0, f'{what} {called(key)} is not there')
    for key, line in sorted(documented.items(), key=lambda item: item[1]):
        if key not in known:
            found.add(path, line, f'no such {what}: {called(key)}')


def code_flags(paths):
    """Letters of getopt(), names of getopt_long()."""
    flags = set()
    for path in paths:
        text = bare(read(path), strings=True)
        for m in re.finditer(r'\bgetopt(?:_long)?\s*\([^"]*"([^"]*)"', text):
            flags |= {('', '-' + c) for c in m.group(1) if c.isalnum()}
        flags |= {('', '--' + name)
                  for name in re.findall(r'\{\s*"([\w-]+)"\s*,\s*\w+_argument\b', text)}
    return flags


def page_flags(text):
    flags = {}
    for n, _, words in page_items(text):
        if words[:2] == ['Fl', 'Fl'] and len(words) > 2:
            flags.setdefault(('', '--' + words[2]), n)
        elif words[:1] == ['Fl'] and len(words) > 1:
            flags.setdefault(('', '-' + words[1]), n)
    return flags


def main():
    found = Findings()
    files = option_keys()
    keys, of_all = files['calloutd.conf'], set().union(*files.values())
    compare(found, CONF_PAGE, any_title(page_keys(read(CONF_PAGE)), of_all), of_all, 'option')
    sample = any_title(sample_keys(read(SAMPLE)), keys)
    some = {key for key in keys if key[0] in VERDICT_SECTIONS} - set(sample)
    compare(found, SAMPLE, sample, keys - some, 'option')
    tool = ['src/calloutctl.c'] + [p for p in walk('src/ctl') if p.endswith('.c')]
    for page, sources in (('doc/calloutd.8', ['src/main.c']), ('doc/calloutctl.1', tool)):
        flags = code_flags(sources)
        compare(found, page, page_flags(read(page)), flags, 'flag')
        found.looked_at += len(flags)
    found.looked_at += len(of_all)
    found.end()


main()

"""What `validate_phase16_path.py` is made of.

policy      the rules as data, read from the vocabulary file without mercy
tree        the files under judgment, and the Python in them
vocabulary  forbidden words in every spelling
literals    what expressions made of literals say
references  what a module imports and names, as dotted paths
requirements  the distributions that the project declares
bans        packages, addresses and file names that must not appear
structure   how the code must be laid out
blocking    that nothing lets a violation through: `.ci/run`, and what pytest is told
workflow, makefile, hooks  the same of the workflow, the Makefile and commit hooks
lines, yaml_leaves  how their formats are read
testing     that no test is switched off
schema      the tables and statuses, as the tree's own models and migrations have them
verdict     all of it together
"""

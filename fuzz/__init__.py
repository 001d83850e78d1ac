"""Coverage-guided fuzzing of everything that reads bytes somebody else wrote (`make fuzz`).

It is no part of the tests, since it needs a build of libFuzzer and never ends by itself; tests/test_fuzz.py
keeps it honest by running every target over its seeds.
"""

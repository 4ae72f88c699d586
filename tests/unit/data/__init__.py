"""Tests of the policy store: the schema and its language, the configuration, candidates, rules, the database."""

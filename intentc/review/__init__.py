"""A plan or a difference for reviewers: as text, JSON, markdown for a pull request, and one page of HTML."""

"""Evidence kept: records, stores, group commit, timestamps."""

"""From files to a project that runs: what tables tell about themselves, drafts, contracts, questions, `mlctl init`."""

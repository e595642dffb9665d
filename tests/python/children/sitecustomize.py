"""Python reads this at the start of each process that a test starts: see ../warm_dbt.py."""

import warm_dbt

warm_dbt.share_parsed_projects()

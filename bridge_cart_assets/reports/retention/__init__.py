"""The retention page: who comes back, cohort by cohort."""

"""The jobs that make and judge artifacts, one file a family; `ml.job` runs them."""

"""What `make setup` fetches and builds: Kafka's jars, the encoder, the corpora, the first model.

`python -m infra.assets` may be run at any time and stopped anywhere: what is there and whole stays, what is
missing or broken is made again. When all is there it needs no network.
"""

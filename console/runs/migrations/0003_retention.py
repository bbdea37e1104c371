"""Runs may clean up."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0002_encoder_jobs")]

    operations = [
        migrations.AlterField(
            model_name="run",
            name="job",
            field=models.CharField(
                choices=[
                    ("train", "Train"),
                    ("refit", "Refit"),
                    ("quantize", "Quantize"),
                    ("evaluate", "Evaluate"),
                    ("pretrain", "Pretrain"),
                    ("finetune", "Finetune"),
                    ("compress", "Compress"),
                    ("retention", "Retention"),
                ],
                max_length=20,
            ),
        ),
    ]

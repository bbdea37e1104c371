"""Runs may pretrain, fine-tune and compress encoders."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0001_initial")]

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
                ],
                max_length=20,
            ),
        ),
    ]

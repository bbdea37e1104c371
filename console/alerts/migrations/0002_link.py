from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("alerts", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="alert",
            name="link",
            field=models.CharField(
                blank=True, help_text="of the page that shows more", max_length=200, default=""
            ),
            preserve_default=False,
        ),
    ]

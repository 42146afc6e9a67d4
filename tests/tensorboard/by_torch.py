"""Makes by_torch.tfevents, which the tests of src/tensorboard/ are held to: torch's SummaryWriter wrote it.

    pip install torch==2.11.0 tensorboard==2.20.0 && python3 tests/tensorboard/by_torch.py
"""

import io
import pathlib
import tempfile

from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

png = io.BytesIO()
Image.new("RGB", (3, 2), (200, 30, 40)).save(png, "PNG")
with tempfile.TemporaryDirectory() as folder:
    writer = SummaryWriter(folder)
    writer.file_writer.add_event(Event(session_log=SessionLog(status=SessionLog.START)), step=31, walltime=1.5)
    writer.add_scalar("loss/mse", 0.25, 32, walltime=2.5)
    writer.add_histogram_raw(
        "lora/norms", min=0.5, max=2.5, num=3, sum=4.5, sum_squares=7.75,
        bucket_limits=[1.5, 2.5], bucket_counts=[2, 1], global_step=32, walltime=3.5,
    )
    picture = Summary.Image(height=2, width=3, colorspace=3, encoded_image_string=png.getvalue())
    writer.file_writer.add_summary(Summary(value=[Summary.Value(tag="samples", image=picture)]), 32, walltime=4.5)
    for parameters in [{"lr": 0.5}, {"kind": "SegmentDistill"}]:
        writer.file_writer.add_summary(hparams(parameters, {})[1], 0, walltime=5.5)
    writer.close()
    (written,) = pathlib.Path(folder).iterdir()
    pathlib.Path(__file__).with_name("by_torch.tfevents").write_bytes(written.read_bytes())

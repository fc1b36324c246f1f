"""DICOM files of every syntax, depth, sign, window and table that is read: python make.py RADIOGRAPH FOLDER.

Made of tests/golden/lime/xray0_224.png with pydicom 3.0.2, pyjpegls 1.5.1, imagecodecs 2026.3.6, and Debian's openjph-tools 0.9.0 for
high-throughput JPEG 2000 of 12 bits, which imagecodecs does not write. expect.json has, for each file, what pydicom decodes from it: the shape, the
SHA-256 of the stored values as little-endian int32, and of the grey values in 8 bits (modality, window or table, inversion), where a file
gives a window or a table.
"""

import hashlib
import json
import subprocess
import sys
import tempfile

import imagecodecs
import jpeg_ls
import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

source, folder = sys.argv[1:]
width, height = 48, 40
grey = np.asarray(Image.open(source).convert("L").resize((width, height)), dtype=np.float64) / 255
expected = {}
uid = "1.2.840.10008.1.2"


def data_set(values, stored, signed=False, photometric="MONOCHROME2", allocated=None, syntax=ExplicitVRLittleEndian, **more):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = "2.25.1"
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = "2.25.2"
    ds = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, "2.25.1"
    # Nobody's. What is read must not keep it.
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Secret^Person", "SECRET-ID", "19010203"
    ds.InstitutionName, ds.StudyDate = "Secret Hospital", "19991231"
    ds.Modality, ds.ViewPosition, ds.BodyPartExamined = "DX", "PA", "CHEST"
    allocated = allocated or (8 if stored <= 8 else 16)
    ds.SamplesPerPixel = 3 if values.ndim == 3 else 1
    ds.PhotometricInterpretation = photometric
    ds.Rows, ds.Columns = values.shape[:2]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = allocated, stored, stored - 1
    ds.PixelRepresentation = int(signed)
    if values.ndim == 3:
        ds.PlanarConfiguration = 0
    kind = np.dtype(f"{'i' if signed else 'u'}{allocated // 8}")
    ds.PixelData = values.astype(kind).tobytes()
    ds["PixelData"].VR = "OW" if allocated == 16 else "OB"
    for name, value in more.items():
        setattr(ds, name, value)
    return ds


def write(name, ds, values=None, implicit=False, big=False, **options):
    path = f"{folder}/{name}.dcm"
    ds.set_original_encoding(implicit, not big)
    ds.save_as(path, implicit_vr=implicit, little_endian=not big, **options)
    read = pydicom.dcmread(path, force=True)
    if "TransferSyntaxUID" not in read.file_meta:
        read.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    decoded = read.pixel_array if values is None else values
    if values is None and read.get("NumberOfFrames", 1) > 1:
        decoded = decoded[0]
    entry = {"shape": list(decoded.shape), "sha256_int32_le": hashlib.sha256(decoded.astype("<i4").tobytes()).hexdigest()}
    if read.PhotometricInterpretation == "PALETTE COLOR":
        # pydicom gives entries of 16 bits; the highest 8 of them are shown, as their luma.
        shown = Image.fromarray((apply_color_lut(decoded, read) >> 8).astype("u1"), "RGB").convert("L")
        entry["sha256_grey"] = hashlib.sha256(np.asarray(shown).tobytes()).hexdigest()
    elif "WindowCenter" in read or "VOILUTSequence" in read:
        shown = apply_voi_lut(apply_modality_lut(decoded, read), read, prefer_lut=True).astype(np.float64)
        if "VOILUTSequence" in read:
            shown /= 2 ** read.VOILUTSequence[0].LUTDescriptor[2] - 1
        else:
            # pydicom maps to the range of the values after the rescale.
            slope, intercept = float(read.get("RescaleSlope", 1)), float(read.get("RescaleIntercept", 0))
            low, high = (-(2 ** (read.BitsStored - 1)), 2 ** (read.BitsStored - 1) - 1) if read.PixelRepresentation else (0, 2**read.BitsStored - 1)
            low, high = low * slope + intercept, high * slope + intercept
            shown = (shown - low) / (high - low)
        shown = np.floor(np.round(shown * 255, 9) + 0.5).astype(np.uint8)
        if read.PhotometricInterpretation == "MONOCHROME1" or read.get("PresentationLUTShape") == "INVERSE":
            shown = 255 - shown
        entry["sha256_grey"] = hashlib.sha256(shown.tobytes()).hexdigest()
    expected[name] = entry


def of_bits(bits):
    return (grey * (2**bits - 1)).round().astype(np.int32)


twelve = of_bits(12)
write("implicit-8", data_set(of_bits(8), 8, syntax=ImplicitVRLittleEndian), implicit=True)
write("implicit-12", data_set(twelve, 12, syntax=ImplicitVRLittleEndian), implicit=True)
write("explicit-16", data_set(of_bits(16), 16))
write("explicit-10-inverse", data_set(of_bits(10), 10, photometric="MONOCHROME1", WindowCenter=400, WindowWidth=700))
write("big-endian-12", data_set(twelve, 12, syntax=ExplicitVRBigEndian, PixelData=twelve.astype(">u2").tobytes()), big=True, values=twelve)
write("deflated-12", data_set(twelve, 12, syntax=UID("1.2.840.10008.1.2.1.99")))
signed = twelve - 2048
write("signed-12", data_set(signed, 12, signed=True, WindowCenter=-100, WindowWidth=2000))
write("rescaled", data_set(twelve, 12, RescaleSlope=0.5, RescaleIntercept=-100, WindowCenter=800.5, WindowWidth=1234.25))
write("exact", data_set(twelve, 12, WindowCenter=2000, WindowWidth=3000, VOILUTFunction="LINEAR_EXACT"))
write("sigmoid", data_set(twelve, 12, WindowCenter=2000, WindowWidth=1500, VOILUTFunction="SIGMOID"))
two = dict(WindowCenter=[1800, 300], WindowWidth=[2500, 100], WindowCenterWidthExplanation=["NORMAL", "HARDER"])
write("two-windows", data_set(twelve, 12, ImagerPixelSpacing=[0.143, 0.139], ImageLaterality="U", PatientOrientation=["L", "F"], **two))
# All values are multiples of 16, and yet of 12 bits.
write("coarse-12", data_set(twelve & 0xFF0, 12))
write("threshold", data_set(twelve, 12, WindowCenter=1500, WindowWidth=1))
write("shape-inverse", data_set(twelve, 12, WindowCenter=2048, WindowWidth=4096, PresentationLUTShape="INVERSE"))


def table(first, bits, entries):
    item = pydicom.Dataset()
    item.LUTDescriptor = [len(entries) % 65536, first, bits]
    item["LUTDescriptor"].VR = "US"
    item.LUTData = np.asarray(entries, "<u2").tobytes()
    item["LUTData"].VR = "OW"
    return Sequence([item])


curve = (np.linspace(0, 1, 3000) ** 0.5 * 16383).round().astype(int)
write("voi-table", data_set(twelve, 12, VOILUTSequence=table(500, 14, curve), WindowCenter=1, WindowWidth=2))
write("voi-table-implicit", data_set(twelve, 12, syntax=ImplicitVRLittleEndian, VOILUTSequence=table(500, 14, curve)), implicit=True)
write("modality-table", data_set(twelve, 12, ModalityLUTSequence=table(0, 16, (np.arange(4096) * 15)), VOILUTSequence=table(0, 16, np.arange(65536))))
# Bits above those that are stored have an overlay.
overlaid = data_set(twelve, 12)
overlaid.PixelData = (twelve | ((np.indices(twelve.shape).sum(0) % 2) << 13)).astype("<u2").tobytes()
write("overlay-in-high-bits", overlaid, values=twelve)
shifted = data_set(of_bits(10), 10)
shifted.HighBit, shifted.PixelData = 13, (of_bits(10) << 4).astype("<u2").tobytes()
write("high-bit-13", shifted, values=of_bits(10))
colours = np.stack([of_bits(8), of_bits(8) // 2, 255 - of_bits(8)], -1)
write("rgb", data_set(colours, 8, photometric="RGB"))
planar = data_set(colours, 8, photometric="RGB", PixelData=colours.transpose(2, 0, 1).astype("u1").tobytes())
planar.PlanarConfiguration = 1
write("rgb-planar", planar, values=colours)
# Luma, and the differences of blue and red to it.
red, green, blue = colours.transpose(2, 0, 1)
luma = 0.299 * red + 0.587 * green + 0.114 * blue
ybr = np.stack([luma, (blue - luma) / 1.772 + 128, (red - luma) / 1.402 + 128], -1).round().clip(0, 255).astype("u1")
write("ybr", data_set(ybr, 8, photometric="YBR_FULL"))
halved = data_set(ybr, 8, photometric="YBR_FULL_422")
pairs = ybr.reshape(height, width // 2, 2, 3)
halved.PixelData = np.stack([pairs[..., 0, 0], pairs[..., 1, 0], pairs[..., 0, 1], pairs[..., 0, 2]], -1).tobytes()
write("ybr-422", halved)
palettes = {}
for name, curve_of in (("Red", lambda x: x), ("Green", lambda x: x**2), ("Blue", lambda x: 1 - x)):
    entries = (curve_of(np.linspace(0, 1, 256)) * 65535).round().astype("<u2")
    palettes[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
    palettes[f"{name}PaletteColorLookupTableData"] = entries.tobytes()
write("palette", data_set(of_bits(8), 8, photometric="PALETTE COLOR", **palettes))
several = data_set(twelve, 12, NumberOfFrames=2)
several.PixelData = twelve.astype("<u2").tobytes() + (4095 - twelve).astype("<u2").tobytes()
write("two-frames", several)
no_meta = data_set(twelve, 12, syntax=ImplicitVRLittleEndian)
del no_meta.file_meta, no_meta.preamble
pydicom.dcmwrite(f"{folder}/without-meta.dcm", no_meta, implicit_vr=True, little_endian=True, enforce_file_format=False)
expected["without-meta"] = {"shape": list(twelve.shape), "sha256_int32_le": hashlib.sha256(twelve.astype("<i4").tobytes()).hexdigest()}


def packed(name, syntax, frames, values, stored, split=False, **more):
    ds = data_set(values, stored, syntax=UID(f"{uid}.{syntax}"), **more)
    ds.PixelData = encapsulate(frames, fragments_per_frame=2 if split else 1)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    if len(frames) > 1:
        ds.NumberOfFrames = len(frames)
    write(name, ds, values=values)


for bits in (8, 12):
    ds = data_set(of_bits(bits), bits)
    ds.compress(UID(f"{uid}.5"), generate_instance_uid=False)
    write(f"rle-{bits}", ds)
rle = data_set(colours, 8, photometric="RGB")
rle.compress(UID(f"{uid}.5"), generate_instance_uid=False)
write("rle-rgb", rle, values=colours)
rle = data_set(ybr, 8, photometric="YBR_FULL")
rle.compress(UID(f"{uid}.5"), generate_instance_uid=False)
write("rle-ybr", rle)
eight = of_bits(8).astype("u1")
jpeg = imagecodecs.jpeg8_encode(eight, 90)
packed("jpeg-8", "4.50", [jpeg], imagecodecs.jpeg8_decode(jpeg), 8)
packed("jpeg-8-two-fragments", "4.50", [jpeg], imagecodecs.jpeg8_decode(jpeg), 8, split=True)
packed("jpeg-8-two-frames", "4.50", [jpeg, imagecodecs.jpeg8_encode(255 - eight, 90)], imagecodecs.jpeg8_decode(jpeg), 8)
extended = imagecodecs.jpeg8_encode(twelve.astype("u2"), 90, bitspersample=12)
packed("jpeg-12", "4.51", [extended], imagecodecs.jpeg8_decode(extended), 12)
for predictor, syntax in ((6, "4.57"), (1, "4.70")):
    lossless = imagecodecs.jpeg8_encode(twelve.astype("u2"), lossless=True, predictor=predictor, bitspersample=12)
    packed(f"jpeg-lossless-{predictor}", syntax, [lossless], twelve, 12)
sixteen = (signed & 0xFFFF).astype("u2")
lossless = imagecodecs.jpeg8_encode(sixteen, lossless=True, predictor=1, bitspersample=16)
packed("jpeg-lossless-signed", "4.70", [lossless], signed, 16, signed=True)
coded = bytes(jpeg_ls.encode_buffer(twelve.astype("u2").tobytes(), height, width, 1, 12))
packed("jpeg-ls", "4.80", [coded], twelve, 12)
coded = bytes(jpeg_ls.encode_buffer(twelve.astype("u2").tobytes(), height, width, 1, 12, lossy_error=2))
near = np.frombuffer(bytes(jpeg_ls.decode_buffer(coded)[0]), "u2").reshape(height, width)
packed("jpeg-ls-near", "4.81", [coded], near, 12)
for bits in (8, 12, 16):
    coded = imagecodecs.jpeg2k_encode(of_bits(bits).astype("u1" if bits == 8 else "u2"), codecformat="j2k", bitspersample=bits, reversible=True)
    packed(f"jpeg-2000-{bits}", "4.90", [coded], of_bits(bits), bits)
coded = imagecodecs.jpeg2k_encode(sixteen.view("i2"), codecformat="j2k", bitspersample=16, reversible=True)
packed("jpeg-2000-signed", "4.90", [coded], signed, 16, signed=True)
coded = imagecodecs.jpeg2k_encode(colours.astype("u1"), codecformat="j2k", reversible=True, mct=True)
packed("jpeg-2000-rgb", "4.90", [coded], colours, 8, photometric="YBR_RCT")
coded = imagecodecs.jpeg2k_encode(twelve.astype("u2"), codecformat="j2k", bitspersample=12, level=60)
packed("jpeg-2000-lossy", "4.91", [coded], imagecodecs.jpeg2k_decode(coded), 12)
# Two decoders of what is lossy may differ by one.
expected["jpeg-2000-lossy"]["values"] = imagecodecs.jpeg2k_decode(coded).ravel().tolist()
for bits in (8, 16):
    coded = imagecodecs.htj2k_encode(of_bits(bits).astype(f"u{bits // 8}"), reversible=True)
    packed(f"high-throughput-{bits}", "4.201", [coded], of_bits(bits), bits)
coded = imagecodecs.htj2k_encode(sixteen.view("i2"), reversible=True, tile=(17, 31))
packed("high-throughput-signed-tiles", "4.201", [coded], signed, 16, signed=True)
coded = imagecodecs.htj2k_encode(colours.astype("u1"), reversible=True, rgb=True)
packed("high-throughput-rgb", "4.201", [coded], colours, 8, photometric="YBR_RCT")


def high_throughput_12(*options):
    with tempfile.TemporaryDirectory() as place:
        with open(f"{place}/in.pgm", "wb") as file:
            file.write(b"P5\n%d %d\n4095\n" % (width, height) + twelve.astype(">u2").tobytes())
        subprocess.run(["ojph_compress", "-i", f"{place}/in.pgm", "-o", f"{place}/out.j2c", *options], check=True, capture_output=True)
        with open(f"{place}/out.j2c", "rb") as file:
            return file.read()


packed("high-throughput-rpcl", "4.202", [high_throughput_12("-reversible", "true", "-prog_order", "RPCL")], twelve, 12)
for name, options in (("lossy", ["-qstep", "0.01"]), ("lossy-tiles", ["-qstep", "0.002", "-tile_size", "{31,17}"])):
    coded = high_throughput_12(*options)
    packed(f"high-throughput-{name}", "4.203", [coded], imagecodecs.htj2k_decode(coded), 12)
    expected[f"high-throughput-{name}"]["values"] = imagecodecs.htj2k_decode(coded).ravel().tolist()
with open(f"{folder}/expect.json", "w") as file:
    json.dump(expected, file, indent=1)

"""What a PyTorch training does with its pictures, as `sightline-trainer bench data` times it.

    python data.py CSV ROOT SIZE COUNT WORKERS

Pillow and torchvision in a DataLoader. Prints {"pictures": .., "seconds": ..}.
"""

import csv
import itertools
import json
import sys
import time

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms


class Pictures(Dataset):
    def __init__(self, paths, size):
        self.paths = paths
        self.transform = transforms.Compose([
            transforms.Resize((size * 8 // 7, size * 8 // 7)),
            transforms.RandomAffine(10),
            transforms.RandomResizedCrop(size, (0.64, 1.0), (1 / 1.1, 1.1)),
            transforms.ColorJitter(brightness=0.1, contrast=0.3),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ])

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return self.transform(Image.open(self.paths[index]).convert("RGB"))


def main():
    table, root, size, count, workers = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    with open(table, newline="") as file:
        paths = [f"{root}/{row['Path']}" for row in csv.DictReader(file)]
    paths = list(itertools.islice(itertools.cycle(paths), count))
    loader = DataLoader(Pictures(paths, size), batch_size=16, num_workers=workers)
    start = time.perf_counter()
    pictures = sum(len(batch) for batch in loader)
    print(json.dumps({"pictures": pictures, "seconds": time.perf_counter() - start, "torch": torch.__version__}))


main()

"""Class tables of well-known datasets, as their publishers number and colour them."""

from segcore.data.formats.importers.class_tables import DeclaredClass
from segcore.labels import Color


def voc_color(index: int) -> Color:
    """Colour of an index in Pascal VOC's palette: its bits, dealt in turn to red, green, blue."""
    channels = [0, 0, 0]
    for position in range(8):
        for channel in range(3):
            channels[channel] |= (index >> (3 * position + channel) & 1) << (7 - position)
    return (channels[0], channels[1], channels[2])


_VOC_NAMES = (
    "background, aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, dining "
    "table, dog, horse, motorbike, person, "
    "potted plant, sheep, sofa, train, tv monitor"
)
PASCAL_VOC: tuple[DeclaredClass, ...] = (
    *(
        DeclaredClass(name, index, voc_color(index))
        for index, name in enumerate(_VOC_NAMES.split(", "))
    ),
    DeclaredClass("void", 255, voc_color(255), True),
)
"""Everingham et al.: The Pascal Visual Object Classes challenge, IJCV 2010; 255 is the border."""

# (name, colour, index among the 19 that are scored or -1), by id from 0.
_CITYSCAPES: tuple[tuple[str, Color, int], ...] = (
    ("unlabeled", (0, 0, 0), -1),
    ("ego vehicle", (0, 0, 0), -1),
    ("rectification border", (0, 0, 0), -1),
    ("out of roi", (0, 0, 0), -1),
    ("static", (0, 0, 0), -1),
    ("dynamic", (111, 74, 0), -1),
    ("ground", (81, 0, 81), -1),
    ("road", (128, 64, 128), 0),
    ("sidewalk", (244, 35, 232), 1),
    ("parking", (250, 170, 160), -1),
    ("rail track", (230, 150, 140), -1),
    ("building", (70, 70, 70), 2),
    ("wall", (102, 102, 156), 3),
    ("fence", (190, 153, 153), 4),
    ("guard rail", (180, 165, 180), -1),
    ("bridge", (150, 100, 100), -1),
    ("tunnel", (150, 120, 90), -1),
    ("pole", (153, 153, 153), 5),
    ("polegroup", (153, 153, 153), -1),
    ("traffic light", (250, 170, 30), 6),
    ("traffic sign", (220, 220, 0), 7),
    ("vegetation", (107, 142, 35), 8),
    ("terrain", (152, 251, 152), 9),
    ("sky", (70, 130, 180), 10),
    ("person", (220, 20, 60), 11),
    ("rider", (255, 0, 0), 12),
    ("car", (0, 0, 142), 13),
    ("truck", (0, 0, 70), 14),
    ("bus", (0, 60, 100), 15),
    ("caravan", (0, 0, 90), -1),
    ("trailer", (0, 0, 110), -1),
    ("train", (0, 80, 100), 16),
    ("motorcycle", (0, 0, 230), 17),
    ("bicycle", (119, 11, 32), 18),
)
CITYSCAPES_IDS: tuple[DeclaredClass, ...] = tuple(
    DeclaredClass(name, number, color, scored < 0)
    for number, (name, color, scored) in enumerate(_CITYSCAPES)
)
"""Cordts et al.: The Cityscapes dataset, CVPR 2016: ``labelIds``, of which 19 are scored."""

CITYSCAPES_TRAIN_IDS: tuple[DeclaredClass, ...] = (
    *(DeclaredClass(name, scored, color) for name, color, scored in _CITYSCAPES if scored >= 0),
    DeclaredClass("void", 255, (0, 0, 0), True),
)
"""The same, ``labelTrainIds``."""

_CAMVID = """
64 128 64 Animal, 192 0 128 Archway, 0 128 192 Bicyclist, 0 128 64 Bridge, 128 0 0 Building, 64 0
128 Car, 64 0 192 CartLuggagePram, 192 128 64 Child, 192 192 128 Column_Pole, 64 64 128 Fence, 128
0 192 LaneMkgsDriv, 192 0 64 LaneMkgsNonDriv, 128 128 64 Misc_Text, 192 0 192 MotorcycleScooter,
128 64 64 OtherMoving, 64 192 128 ParkingBlock, 64 64 0 Pedestrian, 128 64 128 Road, 128 128 192
RoadShoulder, 0 0 192 Sidewalk, 192 128 128 SignSymbol, 128 128 128 Sky, 64 128 192
SUVPickupTruck, 0 0 64 TrafficCone, 0 64 64 TrafficLight, 192 64 128 Train, 128 128 0 Tree, 192
128 192 Truck_Bus, 64 0 64 Tunnel, 192 192 0 VegetationMisc, 0 0 0 Void, 64 192 0 Wall
"""


def _camvid_row(text: str, position: int) -> DeclaredClass:
    red, green, blue, name = text.split()
    return DeclaredClass(name, position, (int(red), int(green), int(blue)), name == "Void")


CAMVID_32: tuple[DeclaredClass, ...] = tuple(
    _camvid_row(text, position) for position, text in enumerate(_CAMVID.split(","))
)
"""Brostow, Fauqueur, Cipolla: Semantic object classes in video. Pattern Recogn. Letters 2009."""

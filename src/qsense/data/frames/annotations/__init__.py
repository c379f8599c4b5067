"""Boxes around objects, as annotation tools write them: COCO, VOC and labelme."""

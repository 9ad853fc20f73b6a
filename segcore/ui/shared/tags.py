"""Tags of images: shown and edited for one image, in bulk, and used as a filter."""

from collections.abc import Sequence

import streamlit as st

from segcore.data.dataset.tags import Tags, format_tags
from segcore.text_files import decode_text
from segcore.ui.shared import session

ANY = "any tag"


def choose(dataset: str, images: Sequence[str], key: str) -> list[str]:
    """Let the user choose a tag where some image has one; return the images with it.

    Args:
        dataset: Name of the dataset.
        images: Ids to choose from.
        key: Where the choice is kept, also in the link.

    Raises:
        SegcoreError: The tags are damaged.
    """
    tags = session.workspace().tags.of(dataset)
    among = set(images) if tags else set()
    offered = sorted({tag for image, own in tags.items() if image in among for tag in own})
    if not offered:
        return list(images)
    chosen = session.choose_from("Tagged", [ANY, *offered], key)
    return (
        list(images)
        if chosen == ANY
        else [image for image in images if chosen in tags.get(image, ())]
    )


def edit(dataset: str, image: str) -> None:
    """Show the tags of an image for editing, and a menu for bulk changes.

    Args:
        dataset: Name of the dataset.
        image: Id of the image.
    """
    image_tags = session.workspace().tags
    with session.errors_shown():
        tags, known = image_tags.of(dataset), list(image_tags.counts(dataset))
    own = list(tags.get(image, ()))
    field, table = st.columns([5, 2], vertical_alignment="bottom")
    with field:
        chosen = st.multiselect(
            "Tags of this image",
            sorted({*known, *own}),
            own,
            key=f"tags {dataset} {image} {own}",
            accept_new_options=True,
            placeholder="Add tags (e.g. night, rain)",
            help=(
                "Use tags to filter images here and in Compare, and to score them as slices in "
                "Evaluate."
            ),
        )
    if set(chosen) != set(own):
        with session.errors_shown():
            image_tags.change(
                dataset, [image], add=set(chosen) - set(own), remove=set(own) - set(chosen)
            )
        st.rerun()
    with table, st.popover("Bulk tag", icon=":material/sell:", width="stretch"):
        _table(dataset, tags, image)


def _table(dataset: str, tags: Tags, image: str) -> None:
    image_tags = session.workspace().tags
    with st.form("tag_many", border=False):
        pattern = st.text_input(
            "Images",
            placeholder=f"{image[:4]}*",
            help="A pattern of names: * matches any characters, ? matches one character.",
        )
        tag = st.text_input("Tag")
        give, take = st.columns(2)
        given = give.form_submit_button("Add tag", icon=":material/add:", width="stretch")
        taken = take.form_submit_button("Remove tag", icon=":material/remove:", width="stretch")
    if given or taken:
        with session.errors_shown():
            matching = image_tags.matching(dataset, pattern.strip())
            image_tags.change(
                dataset, matching, add=[tag] if given else [], remove=[tag] if taken else []
            )
        st.rerun()
    st.download_button(
        "Download CSV",
        lambda: format_tags(tags).encode(),
        f"{dataset}-tags.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    sent = st.file_uploader(
        "Upload a CSV with the columns sample and tags", "csv", key="tags_table"
    )
    if sent is not None and st.button("Import tags", icon=":material/upload:"):
        with session.errors_shown():
            image_tags.read_table(dataset, decode_text(sent.getvalue(), sent.name).text)
        st.rerun()

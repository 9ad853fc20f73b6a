"""The app, and a file with what the server holds for every selector, for the test of the selectors.

Started from a folder beside links to ``pages`` and ``assets``: Streamlit looks for pages there. The
values go to ``$SEGSCOPE_STATE``: a page that ends early may draw nothing more.
"""

import json
import os
import runpy
from pathlib import Path

from streamlit.runtime.scriptrunner import get_script_run_ctx

try:
    runpy.run_path(os.environ["SEGSCOPE_APP"], run_name="__main__")
finally:
    # Not st.session_state: where a page was stopped, each access to it stops the script again.
    context = get_script_run_ctx()
    assert context is not None
    state = context.session_state._state.filtered_state
    held = {key: value for key, value in state.items() if isinstance(value, (str, list))}
    file = Path(os.environ["SEGSCOPE_STATE"])
    whole = file.with_suffix(".new")
    whole.write_text(json.dumps(held, default=str))
    whole.replace(file)

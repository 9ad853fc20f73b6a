"""Where work lives: run folders, the queue, and the processes that do it. No TensorFlow here."""

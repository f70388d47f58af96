"""The benchmarks: claims that anyone can make again from seeds, and the code that runs and reports them."""

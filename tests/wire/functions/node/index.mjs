// A function of the wire tests.
export const handler = async (event) => ({ doubled: event.n * 2 });

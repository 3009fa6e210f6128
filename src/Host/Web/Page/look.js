// Looks whether other seeds answer. A page may connect to the seeds that were there when it was loaded, a worker to those that were there
// when the worker was: api.js starts another one when more have come.

onmessage = async ({ data: { id, address, milliseconds } }) => {
  // The answer is that of another origin, and is not read.
  const asked = { mode: 'no-cors', credentials: 'include', cache: 'no-store', signal: AbortSignal.timeout(milliseconds) };
  postMessage({ id, reached: await fetch(address + '/alive', asked).then(() => true, () => false) });
};

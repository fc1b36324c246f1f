// A thread of the kernels' program: an instance of it, in the memory of all, that helps until the engine ends.
onmessage = async ({ data: { program, memory, stack, team, thread } }) => {
  const words = () => new Int32Array(memory.buffer);
  const wait = (word, value) => Atomics.wait(words(), word >> 2, value);
  const wake = word => Atomics.notify(words(), word >> 2);
  // Weights are packed by the engine's thread alone.
  const values = () => false;
  const { exports } = await WebAssembly.instantiate(program, { env: { memory, wait, wake, values } });
  exports.__stack_pointer.value = stack;
  try {
    exports.help(team, thread);
  } catch (error) {
    exports.fail(team, thread);
    throw error;
  }
};

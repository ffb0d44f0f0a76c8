/** True when it was done. Does what a full or failing disk must not prevent the guardian from outliving: it says so on standard error and goes on. */
export function bestEffort(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    process.stderr.write(`undrop: ${error instanceof Error ? error.message : String(error)}\n`);
    return false;
  }
}

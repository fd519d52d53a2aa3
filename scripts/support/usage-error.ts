/** A mistake of the person who started the script: said in one line, without a stack. */
export class UsageError extends Error {}

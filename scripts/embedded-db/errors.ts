const CODES = {
  InternalError: 1,
  BadValue: 2,
  FailedToParse: 9,
  TypeMismatch: 14,
  InvalidLength: 16,
  NamespaceNotFound: 26,
  IndexNotFound: 27,
  PathNotViable: 28,
  ConflictingUpdateOperators: 40,
  CursorNotFound: 43,
  NamespaceExists: 48,
  DollarPrefixedFieldName: 52,
  InvalidIdField: 53,
  NotSingleValueField: 54,
  CommandNotFound: 59,
  ImmutableField: 66,
  CannotCreateIndex: 67,
  InvalidNamespace: 73,
  IndexOptionsConflict: 85,
  IndexKeySpecsConflict: 86,
  CannotIndexParallelArrays: 171,
  NotImplemented: 238,
  OutOfDiskSpace: 14031,
  BSONObjectTooLarge: 10334,
  DuplicateKey: 11000,
  Overflow: 15,
  IDLFailedToParse: 40414,
} as const

type CodeName = keyof typeof CODES

/** An error as MongoDB reports it: `code` and `codeName` are MongoDB's own; `extra` is merged into the reply. */
export class CommandError extends Error {
  readonly code: number

  constructor(
    readonly codeName: CodeName,
    message: string,
    /** Merged into the reply: what a duplicate key was, for instance. */
    readonly extra: Readonly<Record<string, unknown>> = {},
  ) {
    super(message)
    this.code = CODES[codeName]
  }
}

/** The refusal of what MongoDB can do and this server does not: NotImplemented (238), naming it. */
export function unsupported(what: string): CommandError {
  return new CommandError('NotImplemented', `${what} is not supported by the embedded database`)
}

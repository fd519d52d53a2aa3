import { CommandError } from '../errors.js'
import { Options } from '../options.js'
import { type Doc, field, isDoc, isNumeric, namesOf, toNumber } from '../values.js'
import type { Message } from '../wire.js'
import { aggregateCommands } from './aggregate.js'
import { catalogCommands } from './catalog.js'
import type { Command, Request } from './command.js'
import { diagnosticCommands } from './diagnostics.js'
import { explain } from './explain.js'
import { findCommands } from './find.js'
import { writeCommands } from './write.js'

const COMMANDS: Readonly<Record<string, Command>> = {
  ...diagnosticCommands,
  ...findCommands,
  ...aggregateCommands,
  explain,
  ...writeCommands,
  ...catalogCommands,
}

/** Whether a client waits for the journal: with this command, unless its write concern says otherwise. */
export function isWrite({ command, silent }: Message): boolean {
  const [name = ''] = namesOf(command)
  if (silent || (!Object.hasOwn(writeCommands, name) && !Object.hasOwn(catalogCommands, name))) return false
  const concern = field(command, 'writeConcern')
  return !isDoc(concern) || field(concern, 'j') !== false
}

/** Runs one command to its reply. Throws CommandNotFound (59) and everything that commands throw. */
export function runCommand(
  { command, sequences }: Message,
  services: Pick<Request, 'store' | 'cursors' | 'connectionId'>,
): object {
  const [name = ''] = namesOf(command)
  const handler = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (!handler) throw new CommandError('CommandNotFound', `no such command: '${name}'`)
  if (field(command, 'txnNumber') !== undefined || field(command, 'startTransaction') !== undefined) {
    throw new CommandError(
      'IllegalOperation',
      'Transaction numbers are only allowed on a replica set member or mongos',
    )
  }
  checkConcerns(command)
  const options = new Options(name, command, handler.fields === 'any' ? namesOf(command) : handler.fields)
  const $db = field(command, '$db')
  if (typeof $db !== 'string' || $db === '') {
    throw new CommandError('InvalidNamespace', `Invalid namespace specified: the database '${String($db)}'`)
  }
  return handler.run({ target: field(command, name), database: $db, options, sequences, ...services })
}

function checkConcerns(command: Doc): void {
  const [writeConcern, readConcern] = [field(command, 'writeConcern'), field(command, 'readConcern')]
  const w = isDoc(writeConcern) ? field(writeConcern, 'w') : undefined
  if (isNumeric(w) && toNumber(w) > 1) {
    throw new CommandError('BadValue', "cannot use 'w' > 1 when a host is not replicated")
  }
  if (typeof w === 'string' && w !== 'majority') {
    throw new CommandError('UnknownReplWriteConcern', `No write concern mode named '${w}' found`)
  }
  const level = isDoc(readConcern) ? field(readConcern, 'level') : undefined
  if (level !== undefined && !['local', 'available', 'majority'].includes(String(level))) {
    throw new CommandError('InvalidOptions', `read concern '${String(level)}' needs a replica set`)
  }
}

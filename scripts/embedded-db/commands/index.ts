import { CommandError, unsupported } from '../errors.js'
import { Options } from '../options.js'
import { type Doc, field, isDoc, isNumeric, namesOf, toNumber } from '../values.js'
import type { Message } from '../wire.js'
import { aggregate } from './aggregate.js'
import { catalogCommands } from './catalog.js'
import type { Command, Request } from './command.js'
import { diagnosticCommands } from './diagnostics.js'
import { explain } from './explain.js'
import { findCommands } from './find.js'
import { writeCommands } from './write.js'

const COMMANDS: Readonly<Record<string, Command>> = {
  ...diagnosticCommands,
  ...findCommands,
  aggregate,
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
  checkConcerns(command)
  const options = new Options(name, command, handler.fields ?? namesOf(command))
  const database = String(options.required('$db'))
  return handler.run({ target: field(command, name), database, options, sequences, ...services })
}

/** There is one server: no more than one acknowledges a write, and what it has, a majority has. */
function checkConcerns(command: Doc): void {
  const [write, read] = [field(command, 'writeConcern'), field(command, 'readConcern')]
  const w = isDoc(write) ? field(write, 'w') : undefined
  if (w !== undefined && w !== 'majority' && !(isNumeric(w) && toNumber(w) <= 1))
    throw unsupported(`The write concern w: ${w}`)
  const level = isDoc(read) ? field(read, 'level') : undefined
  if (level !== undefined && level !== 'local' && level !== 'majority')
    throw unsupported(`The read concern '${level}'`)
}

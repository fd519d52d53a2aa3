import { realpathSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { UsageError } from '../dev/usage-error.js'
import { Interrupted } from './interruption.js'

type ParseOptions = NonNullable<ParseArgsConfig['options']>

/** A flag as `parseArgs` knows it, with the line that `--help` says of it. */
export type Flags = Record<string, ParseOptions[string] & { help: string; value?: string }>

export interface CommandLine {
  /** How it is started: `npm run api-key --`. */
  name: string
  summary: string
  /** What comes before the flags, for the usage line: `import FILE`. */
  positionals?: string
  flags: Flags
}

/** What a person typed. */
export interface Typed {
  positionals: string[]
  /** Whether a flag without a value was given. */
  has(flag: string): boolean
  /** The value of a flag, if it was given. */
  text(flag: string): string | undefined
}

/**
 * Runs a script that was started as a program, and does nothing where it was imported. Wrong usage ends with 2 and
 * one line, a failure with 1, an interruption with 130, as shells have it; what is printed on standard output is the
 * result alone, all else goes to standard error.
 */
export async function runAsProgram(
  moduleUrl: string,
  line: CommandLine,
  run: (typed: Typed) => Promise<void>,
): Promise<void> {
  const [, script = ''] = process.argv
  // The runtime knows a module by its real path, and the script by the path that was typed.
  if (pathToFileURL(realpathSync(script)).href !== moduleUrl) return
  try {
    const typed = parse(line, process.argv.slice(2))
    if (typed.has('help')) console.log(helpOf(line))
    else await run(typed)
  } catch (error) {
    const usage = error instanceof UsageError
    console.error(usage || error instanceof Error ? `${line.name}: ${error.message}` : error)
    process.exitCode = usage ? 2 : error instanceof Interrupted ? 130 : 1
  }
}

const HELP: Flags = { help: { type: 'boolean', help: 'show this' } }

function parse(line: CommandLine, args: string[]): Typed {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: { ...line.flags, ...HELP },
      allowPositionals: line.positionals !== undefined,
    })
    return {
      positionals,
      has: flag => values[flag] === true,
      text: flag => (typeof values[flag] === 'string' ? values[flag] : undefined),
    }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function helpOf({ name, summary, positionals, flags }: CommandLine): string {
  const rows = Object.entries({ ...flags, ...HELP }).map(([flag, { type, value, help }]) => [
    `--${flag}${type === 'string' ? ` ${value ?? 'VALUE'}` : ''}`,
    help,
  ])
  const width = Math.max(...rows.map(([flag = '']) => flag.length))
  const lines = rows.map(([flag = '', help]) => `  ${flag.padEnd(width)}  ${help}`)
  return [`${name} ${positionals ? `${positionals} ` : ''}[flags]`, '', summary, '', ...lines].join('\n')
}

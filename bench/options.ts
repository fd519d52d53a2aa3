import { parseArgs } from 'node:util'

/** What the command line asks for. */
export interface Options {
  /** The scenarios to run, in their order. */
  scenarios: string[]
  rounds: number
  /** Length of one slice of load, in seconds. */
  seconds: number
  json: string | undefined
  profile: string | undefined
  allowRemote: boolean
}

const DEFAULT_ROUNDS = 20
const DEFAULT_SECONDS = 0.4

/** What `--help` prints. */
export function helpText(summaries: ReadonlyMap<string, string>): string {
  const width = Math.max(...[...summaries.keys()].map(name => name.length))
  const scenarios = [...summaries].map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`)
  return `npm run bench -- [options]

Compares the product with the bare driver on one database: MONGO_URI, or the embedded database without it.
Everything is stored in databases of its own (leadline-bench-…), which are dropped at the end.

  --only a,b       only these scenarios
  --rounds N       rounds of each comparison (${DEFAULT_ROUNDS})
  --seconds S      length of one slice of load (${DEFAULT_SECONDS})
  --json FILE      write the results there too
  --profile DIR    leave a processor profile of each server there (slows them down)
  --allow-remote   load a MONGO_URI that is not on this machine

Scenarios:
${scenarios.join('\n')}`
}

/**
 * Reads the command line; undefined where it asks for help.
 *
 * @throws {Error} saying which option is wrong.
 */
export function readOptions(args: readonly string[], known: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', default: known.join(',') },
      rounds: { type: 'string', default: String(DEFAULT_ROUNDS) },
      seconds: { type: 'string', default: String(DEFAULT_SECONDS) },
      json: { type: 'string' },
      profile: { type: 'string' },
      'allow-remote': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const scenarios = values.only.split(',')
  const unknown = scenarios.filter(name => !known.includes(name))
  if (unknown.length > 0)
    throw new Error(`--only ${unknown.join(',')}: the scenarios are ${known.join(', ')}`)
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1')
  const seconds = Number(values.seconds)
  if (!(seconds >= 0.1 && seconds <= 60)) throw new Error('--seconds takes a number from 0.1 to 60')
  const { json, profile, 'allow-remote': allowRemote } = values
  return { scenarios, rounds, seconds, json, profile, allowRemote }
}

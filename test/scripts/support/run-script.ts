import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { inject } from 'vitest'
import { testDatabase } from '../../support/database.js'
import { makeTestProject } from './project.js'

export interface ScriptRun {
  /** null after a signal that ended it. */
  code: number | null
  /** What another program would read. */
  output: string
  /** What the person at the terminal is told. */
  told: string
}

export interface RunOptions {
  /** In place of the test's own database, which is the default. */
  env?: Record<string, string>
  /** What is piped in; nothing by default. */
  input?: string
  /** Where it is started; an empty directory by default. */
  cwd?: string
  /** Its source, as it was typed, in place of what this run of the tests built of it. */
  source?: string
}

/** A script that is running. */
export interface RunningScript {
  child: ChildProcessWithoutNullStreams
  ended: Promise<ScriptRun>
  /** Until the person at the terminal has been told this. */
  until(said: string): Promise<void>
}

/** Runs a script in a process of its own, without a terminal and with nothing of this environment. */
export function runScript(
  name: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<ScriptRun> {
  return startScript(name, args, options).ended
}

/** As `runScript`, for who does something to it meanwhile. */
export function startScript(
  name: string,
  args: readonly string[],
  { env = { MONGO_URI: testDatabase().uri }, input = '', cwd, source }: RunOptions = {},
): RunningScript {
  const { PATH = '', HOME = '' } = process.env
  const program =
    source === undefined
      ? [join(inject('built'), 'scripts', `${name}.mjs`)]
      : ['--import', import.meta.resolve('tsx'), source]
  const child = spawn(process.execPath, [...program, ...args], {
    cwd: cwd ?? makeTestProject({}).root,
    env: { PATH, HOME, BCRYPT_COST: '4', ...env },
  })
  const closed = once(child, 'close')
  // A script that reads nothing may have ended before.
  child.stdin.on('error', () => {}).end(input)
  const ended = Promise.all([text(child.stdout), text(child.stderr), closed]).then(
    ([output, told, [code]]) => ({ code, output, told }),
  )
  return {
    child,
    ended,
    until: said =>
      new Promise(resolve => {
        let told = ''
        child.stderr.on('data', chunk => {
          told += chunk
          if (told.includes(said)) resolve()
        })
      }),
  }
}

import { text } from 'node:stream/consumers'
import { UsageError } from '../dev/usage-error.js'

/** A password from standard input: the first line of what is piped in. */
export async function passwordFromInput(): Promise<string> {
  const [line = ''] = (await text(process.stdin)).split(/\r?\n/)
  return line
}

/**
 * A password typed twice on the terminal, without showing it.
 *
 * @throws {UsageError} without a terminal, or when the two differ.
 */
export async function typedPassword(): Promise<string> {
  if (!process.stdin.isTTY) throw new UsageError('there is no terminal to type on: use --password-stdin')
  const password = await typeHidden('Password: ')
  if ((await typeHidden('Again: ')) !== password) throw new UsageError('the two passwords differ')
  return password
}

const INTERRUPT = '\u0003'
const END = '\u0004'
const BACKSPACE = new Set(['\u007f', '\b'])

function typeHidden(prompt: string): Promise<string> {
  const { stdin, stderr } = process
  stderr.write(prompt)
  stdin.setRawMode(true)
  stdin.setEncoding('utf8')
  stdin.resume()
  return new Promise((resolve, reject) => {
    let typed = ''
    function end(finish: () => void) {
      stdin.off('data', read)
      stdin.setRawMode(false)
      stdin.pause()
      stderr.write('\n')
      finish()
    }
    function read(chunk: string) {
      for (const character of chunk) {
        if (character === INTERRUPT) return end(() => reject(new UsageError('interrupted')))
        if (character === '\r' || character === '\n' || character === END) return end(() => resolve(typed))
        typed = BACKSPACE.has(character) ? typed.slice(0, -1) : typed + character
      }
    }
    stdin.on('data', read)
  })
}

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
  const { stdin } = process
  if (!stdin.isTTY) throw new UsageError('there is no terminal to type on: use --password-stdin')
  // Before the first prompt and over both: what is typed faster than asked for is not shown either.
  stdin.setRawMode(true)
  stdin.setEncoding('utf8')
  try {
    const password = await typeLine('Password: ')
    if ((await typeLine('Again: ')) !== password) throw new UsageError('the two passwords differ')
    return password
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
  }
}

const INTERRUPT = '\u0003'
const END = '\u0004'
const BACKSPACE = new Set(['\u007f', '\b'])

function typeLine(prompt: string): Promise<string> {
  const { stdin, stderr } = process
  stderr.write(prompt)
  return new Promise((resolve, reject) => {
    let typed = ''
    function end(rest: string, finish: () => void) {
      stdin.off('data', take)
      stdin.pause()
      // Both lines may be pasted at once: the rest is the next prompt's.
      stdin.unshift(rest)
      stderr.write('\n')
      finish()
    }
    function take(chunk: string) {
      let taken = 0
      for (const character of chunk) {
        taken += character.length
        const rest = chunk.slice(taken)
        if (character === INTERRUPT) return end(rest, () => reject(new UsageError('interrupted')))
        if (character === '\r' || character === '\n' || character === END)
          return end(rest, () => resolve(typed))
        typed = BACKSPACE.has(character) ? typed.replace(/.$/u, '') : typed + character
      }
    }
    stdin.on('data', take)
    stdin.resume()
  })
}

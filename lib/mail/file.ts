import { randomBytes } from 'node:crypto'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Message } from './message.js'

/**
 * Writes one message as an `.eml` file and returns its path. Names sort by time. The content is not encoded, so
 * that links can be read and copied from it; a mail program shows it as it will look.
 *
 * @param directory made where it is missing. Its files hold links that open accounts: its owner's alone.
 * @throws what the file system says.
 */
export async function writeMail(
  message: Message,
  from: string,
  directory: string,
  now: Date,
): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const name = `${now.toISOString().replaceAll(':', '-')}-${randomBytes(4).toString('hex')}.eml`
  const path = join(directory, name)
  // Renamed when complete: whoever waits for the file never reads half of it.
  const partial = `${path}.partial`
  await writeFile(partial, toEml(message, from, now), { flag: 'wx', mode: 0o600 })
  await rename(partial, path)
  return path
}

/** An Internet message (RFC 5322) with both forms of the content (RFC 2046, section 5.1.4), headers in UTF-8. */
function toEml({ to, subject, text, html }: Message, from: string, now: Date): string {
  const boundary = randomBytes(12).toString('hex')
  const part = (type: string, content: string) => [
    `--${boundary}`,
    `Content-Type: ${type}; charset=utf-8`,
    'Content-Transfer-Encoding: 8bit',
    '',
    content,
    '',
  ]
  const lines = [
    `From: ${from}`,
    `To: ${to}`,
    `Subject: ${subject}`,
    `Date: ${now.toUTCString().replace('GMT', '+0000')}`,
    'MIME-Version: 1.0',
    `Content-Type: multipart/alternative; boundary=${boundary}`,
    '',
    ...part('text/plain', text),
    ...part('text/html', html),
    `--${boundary}--`,
    '',
  ]
  return lines.join('\n').replace(/\r?\n/g, '\r\n')
}

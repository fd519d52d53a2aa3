import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'

const TYPES = ['chat_shown', 'chat_started', 'lead_submitted'] as const

/** An event as the old store kept it; of each the same one, whoever asks. */
export function legacyEvent(i: number) {
  const id = `${i.toString(16).padStart(8, '0')}-6c12-4c14-ab8f-91441d37cc76`
  const projectId = `site-${i % 20}.example.com`
  return {
    id,
    type: TYPES[i % 3] ?? TYPES[0],
    projectId,
    microsite: projectId,
    payload: i % 3 === 2 ? { bhkType: '2 BHK' } : {},
    createdAt: new Date(Date.UTC(2025, 0, 1) + i * 20_000).toISOString(),
  }
}

/** Writes an `events.json` as the old store did, of at least so many rows and bytes. Returns how many rows it has. */
export async function writeLegacyEvents(
  path: string,
  { rows = 0, bytes = 0 }: { rows?: number; bytes?: number },
): Promise<number> {
  const file = createWriteStream(path)
  let written = 0
  let count = 0
  let text = '{\n "events": ['
  while (count < rows || written < bytes) {
    for (let i = 0; i < 1_000; i++) {
      text += `${count === 0 ? '' : ','}\n  ${JSON.stringify(legacyEvent(count), null, 1).replaceAll('\n', '\n  ')}`
      count += 1
    }
    written += text.length
    if (!file.write(text)) await once(file, 'drain')
    text = ''
  }
  file.end('\n ]\n}\n')
  await finished(file)
  return count
}

import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { startDev, UNUSED_DATABASE } from '../support/dev-process.js'
import { functionSource, makeTestProject } from '../support/project.js'

it.each([
  ['https://console.example', () => 'https://console.example'],
  // As a copied `.env` leaves it.
  [' ', (url: string) => url],
])('functions get the APP_URL that is set, and an absolute DATA_DIRECTORY: %j', async (given, expected) => {
  const { root } = makeTestProject({
    'api/environment.ts': functionSource('return Response.json(process.env)'),
    '.env': `APP_URL="${given}"\nDATA_DIRECTORY=data`,
  })
  const dev = await startDev(root, UNUSED_DATABASE)
  onTestFinished(async () => void (await dev.end('SIGKILL')))

  expect(await (await fetch(`${dev.url}/api/environment`)).json()).toMatchObject({
    APP_URL: expected(dev.url),
    DATA_DIRECTORY: join(root, 'data'),
  })
})

import { beforeEach, describe, expect, it, vi } from 'vitest'
import domainRoute from '../../api/widget-config/domain/[domain].js'
import { widgetConfigs } from '../../lib/domain/widgets/widget-configs.js'
import { AppError } from '../../lib/errors.js'
import { emptyDatabase } from '../support/database.js'
import { storedWidgetConfig } from '../support/fixtures/widget-configs.js'
import { call } from '../support/request.js'

const find = (domain: string) =>
  call<Record<string, string>>(
    domainRoute,
    'GET',
    `/api/widget-config/domain/${encodeURIComponent(domain)}`,
    {
      origin: 'https://any.example',
    },
  )

beforeEach(async () => {
  await emptyDatabase()
  await (await widgetConfigs.open()).insertMany([
    storedWidgetConfig({
      projectId: 'nivasa-enchante',
      domains: ['nivasa.example', 'xn--bcher-kva.example'],
    }),
    storedWidgetConfig({ projectId: 'skyline.example' }),
    storedWidgetConfig({ projectId: 'other' }),
  ])
})

describe('the project of a domain', () => {
  it.each([
    ['nivasa.example', 'nivasa.example'],
    ['www.nivasa.example', 'nivasa.example'],
    ['NIVASA.Example.', 'nivasa.example'],
    ['nivasa.example:8443', 'nivasa.example'],
    ['https://www.nivasa.example/path?x=1', 'nivasa.example'],
    ['bücher.example', 'xn--bcher-kva.example'],
  ])('is the one that lists it: %s', async (asked, domain) => {
    const { status, body, headers } = await find(asked)
    expect(status).toBe(200)
    expect(body).toEqual({ projectId: 'nivasa-enchante', domain, source: 'database' })
    expect(headers.get('cache-control')).toContain('s-maxage=')
    expect(headers.get('access-control-allow-origin')).toBe('https://any.example')
  })

  it('is the one that is named after it', async () => {
    const { body } = await find('www.skyline.example')
    expect(body).toEqual({ projectId: 'skyline.example', domain: 'skyline.example', source: 'database' })
  })

  it.each(['www.palm-grove.example', 'palm-grove.example'])(
    'is the one that is named after it with www.: %s',
    async asked => {
      await (await widgetConfigs.open()).insertOne(
        storedWidgetConfig({ projectId: 'www.palm-grove.example' }),
      )
      const found = {
        projectId: 'www.palm-grove.example',
        domain: 'palm-grove.example',
        source: 'database',
      }
      expect((await find(asked)).body).toEqual(found)
    },
  )

  it('is rather the one that is named after it without www.', async () => {
    await (await widgetConfigs.open()).insertOne(storedWidgetConfig({ projectId: 'www.skyline.example' }))
    expect((await find('www.skyline.example')).body.projectId).toBe('skyline.example')
  })

  it.each([
    ['WWW.Nobody.example', 'nobody.example'],
    ['shop.nivasa.example', 'shop.nivasa.example'],
    [' Not a domain ', 'not a domain'],
  ])('is one of its own where nobody has it: %s', async (asked, domain) => {
    const { status, body } = await find(asked)
    expect(status).toBe(200)
    expect(body).toEqual({ projectId: domain, domain, source: 'auto_detected' })
  })

  it('is one of its own while the database is away, and nobody keeps that answer', async () => {
    vi.spyOn(widgetConfigs, 'open').mockRejectedValue(new AppError('unavailable'))
    const { status, body, headers } = await find('www.nivasa.example')
    expect(status).toBe(200)
    expect(body).toMatchObject({ projectId: 'nivasa.example', source: 'auto_detected' })
    expect(headers.get('cache-control')).toBe('no-store')
  })

  it.each(['x'.repeat(301), ' '])('is a 400 for what is too long to be one, or blank: %j', async asked => {
    expect((await find(asked)).status).toBe(400)
  })
})

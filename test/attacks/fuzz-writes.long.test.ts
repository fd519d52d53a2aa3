import { declaredVerbs } from '../support/declared-routes.js'
import { fuzz, LONG_RUN } from './fuzz.js'

const writes = declaredVerbs.filter(({ verb }) => verb !== 'GET')

fuzz(writes, LONG_RUN)

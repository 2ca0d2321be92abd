"""The numbers of each page: functions from the data and a filter to a Struct of :mod:`analytics.web.shapes`."""
